"""Reports: tables, figures and pages of HTML, from result files and checkpoints."""
