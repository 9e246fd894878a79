"""Language models: what they are asked, how their replies are read, and the servers they run on."""
