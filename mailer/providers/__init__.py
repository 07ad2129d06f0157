"""Who really receives mail: providers by their MX hosts, what they accept and what they ask of senders."""
