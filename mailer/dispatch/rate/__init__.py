"""When each message may go: rates shared by all machines, limits by domain and day, and sending windows."""
