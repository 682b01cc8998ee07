# The repository with its environment in /rethink, as configs/launcher/kubernetes.yaml expects it.
#
#     docker build -t rethink:latest .                              # NVIDIA GPUs; PyTorch brings CUDA
#     docker build -t rethink:cpu --build-arg DEVICE=cpu .          # a few gigabytes smaller
#
# Runs and data are volumes: /rethink/runs and /rethink/data.
ARG PYTHON=3.12
FROM python:${PYTHON}-slim

# What installs. No version: a slim image moves with Debian.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*

WORKDIR /rethink

# The environment first: an edited source file does not install PyTorch anew.
COPY pyproject.toml setup.py constraints.txt Makefile README.md ./
COPY rethink/__init__.py rethink/
ARG DEVICE=cuda
RUN if [ "$DEVICE" = cpu ]; then export UV_TORCH_BACKEND=cpu; fi; \
    UV_NO_CACHE=1 make install PYTHON=python3

COPY . .
RUN touch .venv/installed && .venv/bin/python -m compileall -q rethink

ENV PATH="/rethink/.venv/bin:$PATH" \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
ENTRYPOINT ["rethink"]
CMD ["--help"]
