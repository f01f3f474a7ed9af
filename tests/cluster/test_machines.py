import copy
import json
import os
import subprocess
import sys

import pytest
import yaml

from cluster.machines import AWS_GPU, GCP_GPU
from raytuner.component import ConfigError
from tests.cluster.filled import MACHINES, launcher, written

# ---- Ray's own reading of the files


@pytest.mark.parametrize("kind", MACHINES)
@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--workers", "9", "--min-workers", "2", "--on-demand", "--image", "registry/x/y:1"],
        ["--gpus", "1"],
    ],
)
def test_ray_accepts_the_file(kind, options, caplog):
    from ray.autoscaler._private.util import prepare_config, validate_config

    if kind == "aws" and "--gpus" in options:
        options = [*options, "--ami", "ami-0123456789abcdef0"]
    config = launcher(kind, *options)
    prepared = prepare_config(copy.deepcopy(config))
    validate_config(prepared)
    assert prepared["file_mounts"] == {"~/.ray/auth_token": "~/.ray/auth_token"}
    worker = prepared["available_node_types"]["worker"]
    assert worker["min_workers"] >= 1
    assert prepared["max_workers"] == worker["max_workers"]
    assert prepared["head_setup_commands"][0] == "chmod 600 ~/.ray/auth_token"
    if "--image" in options:
        assert prepared["worker_setup_commands"] == ["chmod 600 ~/.ray/auth_token"]


@pytest.mark.parametrize("kind", MACHINES)
def test_machines_listen_on_loopback_and_ask_for_the_token(kind):
    config = launcher(kind)
    assert "-e RAY_AUTH_MODE=token" in config["docker"]["run_options"]
    (start,) = [c for c in config["head_start_ray_commands"] if "--head" in c]
    assert "--dashboard-host=127.0.0.1" in start
    assert "0.0.0.0" not in written(kind)
    assert "IpPermissions" not in written(kind)


def test_spot_workers_can_be_had_and_left():
    def market(*options):
        worker = launcher("aws", *options)["available_node_types"]["worker"]["node_config"]
        return worker.get("InstanceMarketOptions")

    assert market() == {"MarketType": "spot"}
    assert market("--on-demand") is None
    node = launcher("gcp")["available_node_types"]["worker"]["node_config"]
    assert node["scheduling"]["provisioningModel"] == "SPOT"
    node = launcher("gcp", "--on-demand")["available_node_types"]["worker"]["node_config"]
    assert "provisioningModel" not in node["scheduling"]


def test_regions_zones_groups_and_images_are_filled_in():
    config = launcher(
        "aws", "--region", "eu-west-1", "--ami", "ami-0123456789abcdef0",
        "--security-group", "sg-0123456789abcdef0", "--name", "tuning",
    )  # fmt: skip
    assert config["cluster_name"] == "tuning"
    assert config["provider"]["availability_zone"] == "eu-west-1a,eu-west-1b"
    for node_type in config["available_node_types"].values():
        assert node_type["node_config"]["ImageId"] == "ami-0123456789abcdef0"
        assert node_type["node_config"]["SecurityGroupIds"] == ["sg-0123456789abcdef0"]
    provider = launcher("gcp", "--zone", "europe-west4-b")["provider"]
    assert provider["region"] == "europe-west4"
    assert provider["project_id"] == "your-project"


@pytest.mark.parametrize("gpus", [1, 4, 8])
def test_gpus_choose_a_machine_and_bring_their_packages(gpus):
    config = launcher("aws", "--gpus", str(gpus), "--ami", "ami-0123456789abcdef0")
    worker = config["available_node_types"]["worker"]
    assert worker["node_config"]["InstanceType"] == AWS_GPU[gpus]
    assert config["docker"]["image"].endswith("-gpu")
    assert any("raytuner[gpu]==" in command for command in config["setup_commands"])
    worker = launcher("gcp", "--gpus", str(gpus))["available_node_types"]["worker"]
    assert worker["node_config"]["machineType"] == GCP_GPU[gpus]
    assert worker["resources"]["GPU"] == gpus
    assert worker["resources"]["CPU"] == int(GCP_GPU[gpus].rpartition("-")[2])


def test_a_wheel_travels_as_a_file(tmp_path):
    wheel = tmp_path / "raytuner-0.1.0-py3-none-any.whl"
    wheel.touch()
    config = launcher("aws", "--wheel", str(wheel))
    assert config["file_mounts"]["~/raytuner-0.1.0-py3-none-any.whl"] == str(wheel)
    assert '"$HOME/raytuner-0.1.0-py3-none-any.whl"' in config["setup_commands"][1]


# ---- secrets


@pytest.mark.parametrize("kind", MACHINES)
def test_secrets_are_named_by_path_only(kind, tmp_path):
    secret, token = tmp_path / "secrets.env", tmp_path / "token"
    secret.write_text("OPENAI_API_KEY=sk-do-not-show")
    token.write_text("abcdef0123456789")
    secret.chmod(0o600)
    text = written(kind, "--secrets", str(secret), "--token", str(token))
    assert "sk-do-not-show" not in text
    assert "abcdef0123456789" not in text
    config = yaml.safe_load(text)
    assert config["file_mounts"] == {
        "~/.ray/auth_token": str(token),
        "~/.raytuner/secrets.env": str(secret),
    }
    run = config["docker"]["run_options"]
    assert "-e RAYTUNER_SECRETS_FILE='~/.raytuner/secrets.env'" in run
    assert "chmod 600 ~/.raytuner/secrets.env" in config["setup_commands"]


def test_secrets_that_others_can_read_are_refused(tmp_path):
    secret = tmp_path / "secrets.env"
    with pytest.raises(ConfigError, match="there is no file"):
        written("aws", "--secrets", str(secret))
    secret.touch()
    secret.chmod(0o644)
    with pytest.raises(ConfigError, match=r"can be read by others; run: chmod 600"):
        written("aws", "--secrets", str(secret))


# ---- what Ray would do with an account, on a simulated one

BOOTSTRAP = """
import copy, json, sys, boto3, yaml
from moto import mock_aws
with mock_aws(config={"iam": {"load_aws_managed_policies": True}}):
    from ray.autoscaler._private.commands import _bootstrap_config
    from ray.autoscaler._private.providers import _get_node_provider
    from ray.autoscaler import tags
    config = _bootstrap_config(yaml.safe_load(sys.stdin), no_config_cache=True)
    provider = _get_node_provider(config["provider"], config["cluster_name"])
    for kind in ("head", "worker"):
        own = {tags.TAG_RAY_NODE_KIND: kind, tags.TAG_RAY_NODE_NAME: kind}
        node = copy.deepcopy(config["available_node_types"][kind]["node_config"])
        provider.create_node(node, own, 1)
    client = boto3.client("ec2", region_name="us-west-2")
    machines = [i for r in client.describe_instances()["Reservations"] for i in r["Instances"]]
    groups = client.describe_security_groups()["SecurityGroups"]
    provider.terminate_nodes(provider.non_terminated_nodes({}))
    print("RESULT" + json.dumps({
        "worker": config["available_node_types"]["worker"]["resources"],
        "lifecycles": [i.get("InstanceLifecycle") for i in machines],
        "tokens": [i["MetadataOptions"]["HttpTokens"] for i in machines],
        "open": [[p.get("FromPort"), p.get("ToPort")] for g in groups
                 if g["GroupName"].startswith("ray-") for p in g["IpPermissions"]
                 if p["IpRanges"]],
        "left": len(provider.non_terminated_nodes({})),
    }))
"""


@pytest.mark.slow
def test_ray_starts_the_machines_of_a_simulated_account(tmp_path):
    pytest.importorskip("moto")
    (tmp_path / ".ssh").mkdir()
    environment = {
        **os.environ, "HOME": str(tmp_path), "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-c", BOOTSTRAP], input=written("aws"), env=environment,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert "RESULT" in ran.stdout, ran.stderr[-2000:]
    result = json.loads(ran.stdout.partition("RESULT")[2])
    assert result["worker"]["CPU"] == 8
    assert result["lifecycles"] == [None, "spot"]
    assert result["tokens"] == ["required", "required"]
    assert result["open"] == [[22, 22]]
    assert result["left"] == 0
