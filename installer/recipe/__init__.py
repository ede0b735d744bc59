"""What you want: typed, frozen models, read from and written to TOML."""
