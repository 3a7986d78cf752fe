"""Publishes reports to an MQTT broker, for Home Assistant and other clients; never an image."""
