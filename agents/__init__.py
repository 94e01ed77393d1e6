"""Who does the work: roles, tasks, runners, tools, workspaces."""
