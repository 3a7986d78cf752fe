# `make run` reads faces, on a device or a desktop; `make test` runs the tests. `make` alone lists all commands.
PYTHON ?= python3
# For training and tests: PYTHON if it was given, else the first of these that starts, that of an environment that is
# there before others. The shipped networks were made with 3.11. TensorFlow has no wheel for 3.14, Keras none for 3.10.
GIVEN_PYTHON := $(if $(filter file,$(origin PYTHON)),,$(PYTHON))
PYTHONS_TRAIN = $(or $(GIVEN_PYTHON),$(DESKTOP)/bin/python python3.11 python3.12 python3.13 python3)
DATA ?= data
RUNS ?= runs
APP ?= dist/app/emotiny
ARGS ?=
SYSTEMCTL ?= systemctl

DEVICE := .venv-device
DESKTOP := .venv
AUDIT := .venv-audit
SITE := .venv-docs
ACCELERATOR := .venv-accelerator
# Next to the installer, which reads them, so that the wheel holds them, too.
LOCKS := systemd/requirements
LOCKED_PYTHONS := 3.10 3.11 3.12 3.13
# A version that a file has already is kept while it fits. manylinux_2_28 is older than any system that is supported.
UV_LOCK = $(DESKTOP)/bin/uv pip compile --quiet --no-config --generate-hashes --only-binary :all: \
    --constraint build/constraints.txt --custom-compile-command 'make lock' $(ARGS)
# For LiteRT. Later versions are for Python 3.10 at most, which pip knows and uv does not.
CONSTRAINTS := backports-strenum<1.3
# Prints what every installation requires, and the extras that are named. uv reads setup.cfg, too, but builds the
# package for it.
define REQUIREMENTS
import configparser, sys
config = configparser.ConfigParser(interpolation=None)
config.read("setup.cfg")
print(config["options"]["install_requires"])
for extra in sys.argv[1:]:
    print(config["options.extras_require"][extra])
endef
export REQUIREMENTS
# Prints the version of a Python that training and tests can run on; any other one fails.
define DESKTOP_VERSION
import platform, sys
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) or print(platform.python_version()))
endef
export DESKTOP_VERSION
# The time of all files in dist/: that of the commit, which is also the time of the files in an unpacked sdist.
SOURCE_DATE_EPOCH ?= $(shell git --git-dir=.git log -1 --format=%ct 2>/dev/null || stat -c %Y setup.cfg)
# Leaves out what differs between two copies of the same commit: order, owners, times and the umask's modes.
SAME_TAR := --format=gnu --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH)
# Another version of setuptools writes another wheel, so it has a lock file, too.
BUILD_TOOLS := build/tools
BUILD = umask 022 && SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) PYTHONPATH='$(abspath $(BUILD_TOOLS))' \
    $(DESKTOP)/bin/python -m build --no-isolation
# What cannot run on this machine fails, because tests that nobody ran must not look like tests that passed.
TEST_DEVICE = $(DESKTOP)/bin/python -m pytest $(if $(ALLOW_SKIP),--allow-skip) tests/device
PIP_QUIET := --quiet --disable-pip-version-check

# What may be given on the command line. make takes any name, so a misspelt one would go unnoticed.
VARIABLES := ARGS DATA RECIPE EPOCHS SEED RUNS TASK OVERWRITE PYTHON SECONDS ALLOW_SKIP APP SYSTEMCTL
FOLDERS := DEVICE DESKTOP AUDIT SITE ACCELERATOR BUILD_TOOLS LOCKS
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
UNKNOWN := $(filter-out $(VARIABLES) $(FOLDERS) SOURCE_DATE_EPOCH SHELL MAKE%,$(GIVEN))
$(if $(UNKNOWN),$(error $(firstword $(UNKNOWN)): no such variable; expected one of $(VARIABLES); options go into ARGS="--option value"))

.DEFAULT_GOAL := help
.PHONY: help run bench install install-device uninstall-device \
        train quantize test fuzz test-chaos test-accelerator test-device test-device-systemd test-device-camera test-device-picamera \
        test-device-arm64 test-device-gstreamer test-device-container lock audit dist app sbom docs \
        check format clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-21s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(DEVICE)/.done ## read faces: a camera if one answers, else the demo (ARGS="--source 0 ...")
	@$(DEVICE)/bin/python -m edge run $(ARGS)

bench: $(DEVICE)/.done ## compare the loop with the usual ways to write it (ARGS="clip.mp4 --size 640x480 --scenes")
	@$(DEVICE)/bin/python -m edge bench $(ARGS)

install: $(DESKTOP)/.done ## set up the desktop's environment: TensorFlow, imgaug, both TFLite runtimes, test tools

install-device: ## as root, on a board: install into /opt/emotiny or upgrade, check it, start it at every boot; keeps settings
	@PYTHON='$(PYTHON)' SYSTEMCTL='$(SYSTEMCTL)' systemd/install.sh $(ARGS)

uninstall-device: ## as root: stop the service, remove the device from the broker, uninstall; keeps /etc/emotiny
	@SYSTEMCTL='$(SYSTEMCTL)' systemd/install.sh --uninstall

train: $(DESKTOP)/.done ## train the shipped networks, or RECIPE=a recipe, group or TOML file (DATA=folder EPOCHS=n SEED=n)
	@$(DESKTOP)/bin/python -m train fit $(RECIPE) --data '$(DATA)' --runs '$(RUNS)' $(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(SEED),--seed $(SEED)) $(ARGS)

quantize: $(DESKTOP)/.done ## prune trained networks and convert them to int8 files in models/ (DATA=folder OVERWRITE=1)
	@$(DESKTOP)/bin/python -m quantize run $(TASK) --data '$(DATA)' --runs '$(RUNS)' $(if $(OVERWRITE),--overwrite) $(ARGS)

test: $(DESKTOP)/.done ## run all tests except test-device (EMOTINY_DATA=folder adds tests on real data)
	@# Whole files, since tests in one may share what they trained; two more at a time than there are cores,
	@# since many tests wait for a broker or for other processes.
	@$(DESKTOP)/bin/python -m pytest -n $$(($$(nproc) + 2)) --dist loadfile $(ARGS)

fuzz: $(DESKTOP)/.done ## give damaged inputs to all that reads strangers' bytes (SECONDS=60 SEED=0 ARGS="--target pictures")
	@$(DESKTOP)/bin/python -m tests.fuzz --seconds $(or $(SECONDS),60) --seed $(or $(SEED),0) $(ARGS)

test-chaos: $(DESKTOP)/.done ## walk at random through faults of camera, broker, network, settings and program (SECONDS=600 SEED=n)
	@$(DESKTOP)/bin/python -m tests.chaos --seconds $(or $(SECONDS),600) $(if $(SEED),--seed $(SEED)) $(ARGS)

test-accelerator: $(ACCELERATOR)/.done ## test the training on an accelerator, on this machine's processor (JAX; 2 minutes)
	@# Without the fixtures of other tests, which need TensorFlow.
	@$(ACCELERATOR)/bin/python -m pytest tests/accelerator --confcutdir tests/accelerator -W ignore $(ARGS)

test-device: $(DESKTOP)/.done ## as root: run all test-device-... commands below (ALLOW_SKIP=1 skips what cannot run here)
	@$(TEST_DEVICE) $(ARGS)

test-device-systemd: $(DESKTOP)/.done ## as root: test the service under real systemd, in a container
	@$(TEST_DEVICE)/test_systemd.py $(ARGS)

test-device-camera: $(DESKTOP)/.done ## as root: test the service with cameras, in a virtual machine
	@$(TEST_DEVICE)/test_camera.py $(ARGS)

test-device-picamera: $(DESKTOP)/.done ## as root: test picamera2 on libcamera's virtual cameras, in a virtual machine
	@$(TEST_DEVICE)/test_picamera.py $(ARGS)

test-device-arm64: $(DESKTOP)/.done ## as root: test the wheel on emulated arm64, Bookworm and Trixie, next to x86-64
	@$(TEST_DEVICE)/test_arm64.py $(ARGS)

test-device-gstreamer: $(DESKTOP)/.done ## as root: test csi:// and gst:// with Debian's OpenCV
	@$(TEST_DEVICE)/test_gstreamer.py $(ARGS)

test-device-container: $(DESKTOP)/.done ## as root: build the Dockerfile, and test its image under an OCI runtime
	@$(TEST_DEVICE)/test_container.py $(ARGS)

lock: $(DESKTOP)/.done ## write the versions and hashes that devices install (ARGS=--upgrade takes the newest ones)
	@# pip must accept what uv found: uv ignores that a package may be for earlier versions of Python only.
	@mkdir -p build && echo '$(CONSTRAINTS)' >build/constraints.txt
	@for python in $(LOCKED_PYTHONS); do for machine in aarch64 x86_64; do \
	    lock=$(LOCKS)/python$$python-$$machine.txt; \
	    $(DESKTOP)/bin/python -c "$$REQUIREMENTS" | $(UV_LOCK) --python-version $$python \
	        --python-platform $$machine-manylinux_2_28 -o $$lock - || exit; \
	    $(DESKTOP)/bin/python -m pip download $(PIP_QUIET) --dest build/wheels \
	        --no-deps --require-hashes --only-binary :all: --python-version $$python \
	        $$(printf -- '--platform manylinux%s_'$$machine' ' 2014 $$(seq -f _2_%g 17 28)) -r $$lock || exit; \
	done; done; rm -rf build/wheels
	@echo 'setuptools>=77' | $(UV_LOCK) --universal --python-version 3.10 -o $(LOCKS)/build.txt -

audit: $(AUDIT)/.done ## ask PyPI for known vulnerabilities of the versions in the lock files
	@# Each file is audited, even if an earlier one failed. Without --strict, a package that PyPI has no answer for
	@# would count as harmless.
	@failed=0; for lock in $(LOCKS)/*.txt; do echo "$$lock:"; \
	    $(AUDIT)/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock $(ARGS) || failed=1; \
	done; exit $$failed

dist: $(BUILD_TOOLS)/.done ## build a wheel for devices and an sdist with all sources into dist/: the same bytes for the same commit
	@rm -rf build/dist *.egg-info
	@mkdir -p dist
	@$(BUILD) --sdist --outdir build/dist .
	@cd build/dist && tar -xzf *.tar.gz && rm *.tar.gz && chmod -R u=rwX,go=rX .
	@name=$$(ls build/dist) && tar -C build/dist $(SAME_TAR) -c $$name | gzip -9n >dist/$$name.tar.gz && \
	    $(BUILD) --wheel --outdir dist build/dist/$$name
	@rm -rf build/dist *.egg-info

app: ## put the app of Home Assistant into dist/app/, to be copied to its folder /addons
	@rm -rf '$(APP)' && mkdir -p '$(APP)'
	@# .dockerignore names what the image is built of.
	@cp -R --parents $$(sed -n 's/^!//p' .dockerignore) CHANGELOG.md '$(APP)'
	@cp -R homeassistant/emotiny/* '$(APP)'
	@cat Dockerfile homeassistant/emotiny/app.Dockerfile >'$(APP)/Dockerfile'
	@cd '$(APP)' && rm app.Dockerfile && find . -name __pycache__ -prune -exec rm -rf {} +
	@echo '$(APP)'

sbom: $(AUDIT)/.done ## write what a device installs as CycloneDX files into dist/, one for each lock file
	@mkdir -p dist
	@version=$$($(PYTHON) -c 'import edge.version as v; print(v.__version__)') && \
	printf '[project]\nname = "emotiny"\nversion = "%s"\nlicense = "MIT AND LicenseRef-research-data"\n' "$$version" >dist/pyproject.toml && \
	for lock in $(LOCKS)/python*.txt; do \
	    SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) PYTHONWARNINGS=ignore $(AUDIT)/bin/cyclonedx-py requirements --pyproject dist/pyproject.toml \
	        --output-reproducible --validate -o dist/emotiny-$$version-$$(basename $$lock .txt).cdx.json $$lock || exit; \
	done; rm dist/pyproject.toml

docs: $(SITE)/.done ## build the documentation into build/site/, and check its links
	@$(SITE)/bin/sphinx-build -q -W --keep-going -c docs/site -b html . build/site
	@echo "build/site/index.html"

check: $(DESKTOP)/.done ## check format, style, types, who imports whom, and licences; must pass before a commit
	@$(DESKTOP)/bin/ruff format --check .
	@$(DESKTOP)/bin/ruff check .
	@$(DESKTOP)/bin/mypy
	@$(DESKTOP)/bin/lint-imports
	@# Without git it would read the environments, too.
	@[ ! -e .git ] || $(DESKTOP)/bin/reuse lint --lines

format: $(DESKTOP)/.done ## format the code
	@$(DESKTOP)/bin/ruff format .
	@$(DESKTOP)/bin/ruff check --fix .

clean: ## remove all environments and all caches; keeps data/ and runs/
	rm -rf $(DEVICE) $(DESKTOP) .venv-other $(ACCELERATOR) $(AUDIT) $(SITE) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage

# If the system has picamera2, the environment must use it, and the system's numpy, for which picamera2 is built.
$(DEVICE)/.done: setup.cfg pyproject.toml
	@echo "setting up $(DEVICE): numpy, OpenCV and a TFLite runtime, about 240 MB on arm64, 330 MB on x86-64; this happens once"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	    { echo "error: $$($(PYTHON) --version 2>&1) is too old, 3.10 or later is needed: make run PYTHON=python3.11"; exit 2; }
	@$(PYTHON) -m venv $$($(PYTHON) -c 'import picamera2' 2>/dev/null && echo --system-site-packages) $(DEVICE) || \
	    { echo "error: no venv module: sudo apt install python3-venv"; exit 2; }
	@$(DEVICE)/bin/pip install $(PIP_QUIET) -e . || \
	    { echo "error: the packages above could not be installed; is the package index reachable?"; exit 2; }
	@touch $@

# Stands for the PYTHON that was given, so that another one makes another environment.
DESKTOP_PYTHON := $(if $(GIVEN_PYTHON),$(DESKTOP)/.with-$(subst /,_,$(GIVEN_PYTHON)))
$(DESKTOP)/.with-%: ;

$(DESKTOP)/.done: setup.cfg pyproject.toml $(DESKTOP_PYTHON)
	@for python in $(PYTHONS_TRAIN); do \
	    version=$$("$$python" -c "$$DESKTOP_VERSION" 2>/dev/null) && break; \
	done; \
	[ "$$version" ] || \
	    { echo "error: training and tests need Python 3.11, 3.12 or 3.13; none of these is one: $(PYTHONS_TRAIN);" \
	           "sudo apt install python3 python3-venv, or make $(MAKECMDGOALS) PYTHON=/path/to/python3.13"; exit 2; }; \
	echo "setting up $(DESKTOP) with Python $$version: TensorFlow, imgaug and the test tools, about 2.7 GB; this happens once"; \
	[ "$$version" = "$$($(DESKTOP)/bin/python -c "$$DESKTOP_VERSION" 2>/dev/null)" ] || \
	    "$$python" -m venv --clear $(DESKTOP) || \
	    { echo "error: no venv module: sudo apt install python$${version%.*}-venv"; exit 2; }
	@# Without the device's opencv-python-headless: its files are those of opencv-python, which imgaug requires.
	@# An earlier environment has both.
	@mkdir -p build && $(DESKTOP)/bin/python -c "$$REQUIREMENTS" train tflite dev | \
	    grep -v '^opencv-python-headless' >build/desktop.txt
	@$(DESKTOP)/bin/pip uninstall --quiet $(PIP_QUIET) --yes opencv-python opencv-python-headless
	@$(DESKTOP)/bin/pip install $(PIP_QUIET) -r build/desktop.txt && $(DESKTOP)/bin/pip install $(PIP_QUIET) --no-deps -e . || \
	    { echo "error: the packages above could not be installed; is the package index reachable?"; exit 2; }
	@# opencv-python needs libGL and GLib, which a system without a desktop lacks.
	@$(DESKTOP)/bin/python -c 'import cv2' 2>/dev/null || { \
	    opencv=$$($(DESKTOP)/bin/pip freeze | sed -n 's/^opencv-python==/opencv-python-headless==/p'); \
	    echo "no libGL.so.1 or libgthread-2.0.so.0 here: installing $$opencv in place of opencv-python"; \
	    $(DESKTOP)/bin/pip uninstall $(PIP_QUIET) --yes opencv-python && \
	    $(DESKTOP)/bin/pip install $(PIP_QUIET) --no-deps "$$opencv" && $(DESKTOP)/bin/python -c 'import cv2'; }
	@# train and quantize are not installed: this file lets the environment's Python find them here from any folder.
	@echo '$(CURDIR)' > "$$($(DESKTOP)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/emotiny-desktop.pth"
	@touch $(DESKTOP_PYTHON) $@

$(ACCELERATOR)/.done: setup.cfg pyproject.toml
	@echo "setting up $(ACCELERATOR): JAX, Keras and pytest, about 900 MB; this happens once"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "error: $$($(PYTHON) --version 2>&1) is too old for JAX, 3.11 or later is needed:" \
	           "make $(MAKECMDGOALS) PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(ACCELERATOR) || \
	    { echo "error: no venv module: sudo apt install python3-venv"; exit 2; }
	@$(ACCELERATOR)/bin/pip install $(PIP_QUIET) -e '.[accelerator]' || \
	    { echo "error: the packages above could not be installed; is the package index reachable?"; exit 2; }
	@touch $@

$(BUILD_TOOLS)/.done: $(LOCKS)/build.txt $(DESKTOP)/.done
	@$(DESKTOP)/bin/python -m pip install $(PIP_QUIET) --require-hashes --no-deps --upgrade --target $(BUILD_TOOLS) -r $<
	@touch $@

$(SITE)/.done:
	@echo "setting up $(SITE): Sphinx, MyST and Furo, about 120 MB; this happens once"
	@$(PYTHON) -m venv $(SITE) || \
	    { echo "error: no venv module: sudo apt install python3-venv"; exit 2; }
	@$(SITE)/bin/pip install $(PIP_QUIET) 'sphinx>=8,<10' 'myst-parser>=4,<6' 'furo>=2024.8' || \
	    { echo "error: the packages above could not be installed; is the package index reachable?"; exit 2; }
	@touch $@

$(AUDIT)/.done:
	@echo "setting up $(AUDIT): pip-audit and cyclonedx-py, about 90 MB; this happens once"
	@$(PYTHON) -m venv $(AUDIT) || \
	    { echo "error: no venv module: sudo apt install python3-venv"; exit 2; }
	@$(AUDIT)/bin/pip install $(PIP_QUIET) 'pip-audit>=2.7' 'cyclonedx-bom>=5' || \
	    { echo "error: the packages above could not be installed; is the package index reachable?"; exit 2; }
	@touch $@
