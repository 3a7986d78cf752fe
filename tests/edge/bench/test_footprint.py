"""What the device's process costs beside the bare imports of its parts: printed, and never judged by time."""

import json
import subprocess
import sys
from pathlib import Path

MODELS = Path(__file__).parents[2] / "models"
PARTS = {
    "numpy": "import numpy",
    "+ OpenCV": "import numpy, cv2",
    "+ runtime": """
import numpy, cv2
from edge.inference.interpreter import _find_interpreter
_find_interpreter('')
""",
    "emotiny, one frame": f"""
import sys
from edge.cli.main import main
sys.argv = ["emotiny"]
main(["run", "--source", "demo", "--fast", "--max-frames", "1", "--log-level", "error", "--output", "jsonl",
      "--emotion-model", {str(MODELS / "tiny_emotion.json")!r},
      "--gender-model", {str(MODELS / "tiny_gender.json")!r}])
""",
}
MEASURE = r"""
import json, re, sys, time
# Not getrusage: its peak is inherited from the process that started this one.
status = open("/proc/self/status").read()
print(json.dumps({
    "seconds": time.process_time(),
    "megabytes": int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024,
}))
"""


def measure(code):
    """Processor seconds and peak resident megabytes of a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", code + MEASURE], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_memory_and_start_beside_the_bare_imports(capsys):
    parts = {name: measure(code) for name, code in PARTS.items()}
    bare, whole = parts["+ runtime"], parts["emotiny, one frame"]
    with capsys.disabled():
        print("\nprocessor seconds and peak resident memory of a fresh process:")
        for name, part in parts.items():
            print(f"  {name:20} {part['seconds']:5.2f} s {part['megabytes']:6.0f} MB")
        print(
            f"  ratio to the bare imports: {whole['seconds'] / bare['seconds']:.2f} in time, "
            f"{whole['megabytes'] / bare['megabytes']:.2f} in memory"
        )
    # Memory, unlike time, is no noise: a frame's worth of buffers, two networks and the cascade.
    assert whole["megabytes"] < bare["megabytes"] + 80
