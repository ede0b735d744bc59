"""The guided interface: it reads events and produces recipes."""
