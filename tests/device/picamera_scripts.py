"""Files that the tests of picamera2 put into the virtual machine."""

# A module of Raspberry Pi OS that draws on screens; picamera2 reads the names of its formats when it is
# imported.
PYKMS = "from unittest.mock import MagicMock\n\nPixelFormat = MagicMock()\n"
# A virtual camera. It lacks the larger sizes of a sensor, so that libcamera adjusts a request for them.
CAMERA = """
"{name}":
  supported_formats:
  - {{width: 640, height: 480, frame_rates: [10, 30]}}
  - {{width: 320, height: 240, frame_rates: [10, 30]}}
  frames: {{path: "/payload/pictures/{name}"}}
  location: "CameraLocationExternal"
  model: "Virtual {name}"
"""
# Prints where modules are imported from.
ORIGINS = """
import json, cv2, numpy, picamera2
print(json.dumps({each.__name__: each.__file__ for each in (cv2, numpy, picamera2)}))
"""
# Prints the cameras in the order of libcamera, and in that in which picamera2 opens them.
ORDER = """
import json
from picamera2 import Picamera2
listed = Picamera2.global_camera_info()
print(json.dumps([each["Model"] for each in sorted(listed, key=lambda each: each["Num"])]))
models = []
for number in range(len(listed)):
    camera = Picamera2(number)
    models.append(camera.camera_properties["Model"])
    camera.close()
print(json.dumps(models))
"""
# Opens a source several times and compares ten of its frames each time with the images that its camera shows:
# prints shape, type, the index of the nearest image, and the largest and the mean difference in grays of 256.
# If a format is given, libcamera is asked for it. The last line holds the formats that it delivered.
COMPARE_FRAMES = """
import itertools, json, sys
from pathlib import Path
import cv2, numpy as np
from picamera2 import Picamera2
from edge.sources.settings import CaptureSettings
from edge.sources.factory import open_source
source, folder, size, times, wanted_format = sys.argv[1:]
shown = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(Path(folder).iterdir())]
delivered = set()
create, read = Picamera2.create_video_configuration, Picamera2.camera_configuration
def create_with_format(camera, **streams):
    change = {"format": wanted_format} if wanted_format else {}
    return create(camera, **{name: stream | change for name, stream in streams.items()})
def read_and_keep(camera):
    delivered.add(read(camera)["lores"]["format"])
    return read(camera)
Picamera2.create_video_configuration, Picamera2.camera_configuration = create_with_format, read_and_keep
settings = CaptureSettings(tuple(map(int, size.split("x"))) if size else None)
for _ in range(int(times)):
    with open_source(source, settings, fast=False) as camera:
        for frame in itertools.islice((frame for frame in camera if frame), 10):
            shape = frame.gray.shape
            scaled = (cv2.resize(each, shape[::-1], interpolation=cv2.INTER_AREA) for each in shown)
            differences = [np.abs(each.astype(int) - frame.gray) for each in scaled]
            nearest = min(range(len(differences)), key=lambda index: differences[index].mean())
            difference = int(differences[nearest].max()), float(differences[nearest].mean())
            print(json.dumps([shape, str(frame.gray.dtype), nearest, *difference]))
print(json.dumps(sorted(delivered)))
"""
# Runs the program while the camera is open already.
HOLD = """
import sys
from picamera2 import Picamera2
camera = Picamera2(int(sys.argv[1]))
from edge.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
# Runs the program with a camera that delivers a format without luma.
WITHOUT_LUMA = """
import sys
from picamera2 import Picamera2
read = Picamera2.camera_configuration
def change_format(camera):
    streams = read(camera)
    return streams | {"lores": streams["lores"] | {"format": "XBGR8888"}}
Picamera2.camera_configuration = change_format
from edge.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
# Runs the program with a camera that stops delivering until it is opened again: its buffers are not returned
# to it.
STARVE = """
import sys
from picamera2.request import CompletedRequest
release, released = CompletedRequest.release, []
def starve(request):
    if not released or released[0] is request.picam2:
        released.append(request.picam2)
    if len(released) < 60 or released[0] is not request.picam2:
        release(request)
CompletedRequest.release = starve
from edge.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
# Listens on a port as the program does for Prometheus, whose library is not installed here.
LISTEN = """
import sys
from edge.errors import ConfigError
from edge.output.prometheus.server import check_port
from edge.output.prometheus.settings import MetricsSettings
try:
    check_port(MetricsSettings(int(sys.argv[1])))
    print("it listens")
except ConfigError as error:
    print(error)
"""
SCRIPTS = {
    "origins": ORIGINS,
    "order": ORDER,
    "compare_frames": COMPARE_FRAMES,
    "hold": HOLD,
    "without_luma": WITHOUT_LUMA,
    "starve": STARVE,
    "listen": LISTEN,
}
