"""The preview of an edition on its writer's own machine."""
