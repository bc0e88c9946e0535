"""The SDK's brush codec as an oracle."""

import importlib.metadata
import importlib.util
from functools import cache

import pytest


@cache
def load_sdk_codec():
    """The SDK's module of the codec alone: the package around it needs all of the SDK's own."""
    try:
        distribution = importlib.metadata.distribution("label-studio-sdk")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("needs label-studio-sdk, the oracle")
    path = distribution.locate_file("label_studio_sdk/converter/brush.py")
    spec = importlib.util.spec_from_file_location("sdk_brush", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
