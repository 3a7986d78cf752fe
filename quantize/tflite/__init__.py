""".tflite files as flatbuffers: inspect, shrink, pack."""
