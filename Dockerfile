# syntax=docker/dockerfile:1
# One image, four uses: home, hub, sandbox, worker (see docker-compose.yml).

FROM node:22-bookworm-slim AS assets
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN python -m venv /venv
COPY requirements.lock requirements-dev.lock requirements-s3.lock ./
# The runtime's lock into the image's environment; the build backend, from the other lock, aside.
# `--build-arg EXTRAS=s3` for sealed files in a bucket: the same lock with that extra in it.
ARG EXTRAS=
RUN /venv/bin/pip install --no-cache-dir --require-hashes -r "requirements${EXTRAS:+-$EXTRAS}.lock"
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --require-hashes -r requirements-dev.lock
COPY . .
COPY --from=assets /src/node_modules node_modules
RUN /tools/bin/python -m schemas.build \
 && /tools/bin/python -m build --wheel --no-isolation --outdir /wheel . \
 && /venv/bin/pip install --no-cache-dir --no-deps /wheel/*.whl

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --user-group --create-home --home-dir /var/lib/mobility mobility
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    MOBILITY_STATE=/var/lib/mobility/state MOBILITY_HOST=0.0.0.0
USER mobility
WORKDIR /var/lib/mobility
# Made here so that a fresh volume belongs to the user; databases, keys and blobs live in it.
RUN mkdir -m 0700 /var/lib/mobility/state
VOLUME /var/lib/mobility/state
EXPOSE 8400 8401 8402
ENTRYPOINT ["python", "-m", "portal.serve"]
CMD ["home"]
