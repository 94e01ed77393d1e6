"""What a team shares: commands, agents, templates, scenarios and cassettes in one folder, with a version and a lock."""
