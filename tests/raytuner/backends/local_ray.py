"""One small Ray on loopback for the tests of a module, in the process of the tests."""

import contextlib
import os
import shutil
import tempfile

import ray

from raytuner.backends.ray_session import loopback


@contextlib.contextmanager
def local_ray(cpus=2, **more):
    """Start it, and end it with the block; `more` goes to `ray.init`."""
    folder = tempfile.mkdtemp(prefix="r_", dir="/tmp")  # Ray puts sockets in it: a short path
    address = os.environ.pop("RAY_ADDRESS", None)
    try:
        with loopback(on=True):
            ray.init(
                address="local",
                num_cpus=cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                object_store_memory=256 * 1024 * 1024,
                _node_ip_address="127.0.0.1",
                _temp_dir=folder,
                **more,
            )
        yield
        ray.shutdown()
    finally:
        if address is not None:
            os.environ["RAY_ADDRESS"] = address
        shutil.rmtree(folder, ignore_errors=True)
