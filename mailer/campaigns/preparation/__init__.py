"""Preparing a campaign: what the team decides before its launch, for Studio and the command line alike."""
