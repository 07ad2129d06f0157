"""The reports on campaigns, as pages for the team on its own machine."""
