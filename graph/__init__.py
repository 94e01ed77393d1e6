"""In which order: specs, templates, analysis, compilation to LangGraph, runs."""
