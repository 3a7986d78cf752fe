"""Reports to an MQTT broker, for Home Assistant and whoever else listens. No picture ever goes there."""
