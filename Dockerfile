# docker build -t omnichannel-hub . && docker run -p 8080:8080 -v hub:/data omnichannel-hub
# First stage: a virtual environment with the pinned versions. Second: that environment and nothing of the build.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/hub
WORKDIR /src
# The libraries first: this layer stays while only our own code changes.
COPY pyproject.toml constraints.txt ./
RUN /opt/hub/bin/python -c "import tomllib; p = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
o = p['optional-dependencies']; print('\n'.join(p['dependencies'] + o['postgres'] + o['speed'] + o['metrics'] + o['media']))" > /tmp/libraries.txt \
    && /opt/hub/bin/pip install -q -c constraints.txt -r /tmp/libraries.txt
COPY LICENSE README.md ./
COPY hub hub
COPY adapters adapters
COPY webhooks webhooks
COPY config config
COPY templates templates
RUN /opt/hub/bin/pip install -q --no-deps . \
    && /opt/hub/bin/pip uninstall -q -y pip \
    && /opt/hub/bin/hub --help > /dev/null \
    && /opt/hub/bin/python -c "from hub.web import assets, templates; templates.compiled(assets.Assets())"

FROM python:3.13-slim
LABEL org.opencontainers.image.title="omnichannel-hub" org.opencontainers.image.licenses="AGPL-3.0-or-later"
RUN useradd --uid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin hub \
    && install -d -o hub -g hub -m 0750 /data
COPY --from=build /opt/hub /opt/hub
ENV PATH="/opt/hub/bin:$PATH" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HUB_DATA=/data HUB_LISTEN=0.0.0.0:8080
USER hub
WORKDIR /data
VOLUME /data
EXPOSE 8080
STOPSIGNAL SIGTERM
# Live, not ready: a database that is away for a minute is no reason to restart the hub.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
CMD ["hub", "serve"]
