# emotiny in a container (docs/container.md). The first stage installs exactly the versions of a lock file, each verified by
# its hash, and the wheel that it builds of these sources; the second has the result, without pip and what built it.
FROM debian:trixie-slim AS build
RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip
WORKDIR /build
COPY systemd/requirements systemd/requirements
# Debian's pip installs into the environment, which has none of its own.
ENV PIP_PYTHON=/opt/emotiny/bin/python PIP_NO_CACHE_DIR=1 PIP_NO_DEPS=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python3 -m venv --without-pip /opt/emotiny && \
    pip install --require-hashes --only-binary :all: -r "systemd/requirements/python3.13-$(uname -m).txt" && \
    pip install --require-hashes --only-binary :all: --target tools -r systemd/requirements/build.txt
COPY LICENSE README.md pyproject.toml setup.cfg ./
COPY LICENSES LICENSES
COPY edge edge
COPY models models
COPY systemd systemd
# The last command fails if a requirement is missing: without an index, it can install nothing.
RUN PYTHONPATH=/build/tools pip wheel --no-build-isolation --wheel-dir wheel . && \
    pip install --no-index wheel/*.whl && \
    PIP_NO_DEPS=0 pip install --no-index emotiny

FROM debian:trixie-slim AS emotiny
# The authorities are for a broker with TLS.
RUN apt-get update && \
    apt-get install --yes --no-install-recommends ca-certificates python3 && \
    rm -rf /var/lib/apt/lists/* && \
    useradd --system --uid 10001 --user-group --groups video --home-dir / --no-create-home --shell /usr/sbin/nologin emotiny
COPY --from=build /opt/emotiny /opt/emotiny
# As in the systemd unit, a camera that is absent is waited for, and standard output, which is stored here, gets no readings.
# Nobody listens to the notifications of the run except HEALTHCHECK; @ is a name that needs no file.
ENV PATH=/opt/emotiny/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    EMOTINY_OUTPUT=none \
    EMOTINY_RECONNECT=true \
    NOTIFY_SOCKET=@emotiny \
    WATCHDOG_USEC=30000000
USER emotiny
# A sign of life comes with the next frame; only a run that hangs is waited for as long as WATCHDOG_USEC.
HEALTHCHECK --interval=60s --timeout=40s --start-period=60s --retries=2 \
    CMD ["python", "-m", "edge.system.liveness"]
ENTRYPOINT ["emotiny"]
CMD ["run"]
