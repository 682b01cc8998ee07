"""What pyproject.toml has no words for: the wheel has configs/ as rethink/configs, for whoever has no clone."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["rethink*"]), "rethink.configs"], package_dir={"rethink.configs": "configs"})
