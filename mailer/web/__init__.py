"""What a browser sees: the readers' pages, the archive, and the preview on a writer's own machine."""
