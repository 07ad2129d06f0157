"""The settings of the workspace, changed key by key: for managers."""
