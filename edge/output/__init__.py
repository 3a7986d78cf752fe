"""Where reports go: console, JSON lines, video, systemd, a broker, Prometheus."""
