"""Which slash commands there are, and who handles them. Nothing is imported, for the hooks."""

HANDLERS = {
    "orchestrate": "orchestrate",
    "report": "report",
    "plan": "plan",
    "implement": "implement",
    "debug": "debug",
    "test": "test",
    "test-all": "test_all",
    "document": "document",
    "subagents": "subagents",
    "workflow-status": "workflow_status",
    "coordination-hub": "coordination_hub",
    "dependency-resolver": "dependency_resolver",
    "resource-manager": "resource_manager",
    "progress-aggregator": "progress_aggregator",
    "performance-monitor": "performance_monitor",
    "workflow-recovery": "workflow_recovery",
    "workflow-template": "workflow_template",
    "list-plans": "listing",
    "list-reports": "listing",
    "list-summaries": "listing",
}
"""Slash commands that this version has, and the modules that handle them."""
