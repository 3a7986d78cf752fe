"""The settings of one run: dataclass, option table, TOML file, environment, credentials."""
