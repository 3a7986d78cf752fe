"""Outputs for reports: console, JSON lines, video, systemd, MQTT, Prometheus."""
