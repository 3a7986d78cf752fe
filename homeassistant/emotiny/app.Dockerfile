
# The app of Home Assistant: `make app` puts this behind the image of the container.
FROM emotiny
ARG BUILD_VERSION BUILD_ARCH
LABEL io.hass.type=app io.hass.version=$BUILD_VERSION io.hass.arch=$BUILD_ARCH
# Only root can read the options. run.py starts emotiny as its own user.
USER root
COPY run.py /run.py
ENTRYPOINT ["python", "/run.py"]
CMD []
