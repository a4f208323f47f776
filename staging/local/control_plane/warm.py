"""First calls, made before anybody waits for them: the models of AWS's services take seconds to load."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from staging.local.control_plane.platform import REGION

if TYPE_CHECKING:
    from staging.local.control_plane.front import Front

log = logging.getLogger(__name__)

# by name that signs the request: what a drill will ask first
_QUERIES = {
    "ec2": ("2016-11-15", "DescribeSubnets", "DescribeNetworkAcls", "DescribeVpcs"),
    "rds": ("2014-10-31", "DescribeDBClusters", "DescribeDBInstances", "DescribeEvents"),
    "elasticloadbalancing": ("2015-12-01", "DescribeTargetGroups"),
    "elasticache": ("2015-02-02", "DescribeReplicationGroups"),
    "sts": ("2011-06-15", "GetCallerIdentity"),
    "sns": ("2010-03-31", "ListTopics"),
}
_JSON = {
    "ecs": ("AmazonEC2ContainerServiceV20141113", "ListClusters"),
    "monitoring": ("GraniteServiceVersion20100801", "DescribeAlarms", "DescribeAlarmHistory"),
    "secretsmanager": ("secretsmanager", "ListSecrets"),
    "dynamodb": ("DynamoDB_20120810", "ListTables"),
    "sqs": ("AmazonSQS", "ListQueues"),
}


def warm(front: Front) -> None:
    """Call each once; an answer of any kind will do."""
    for service, (version, *actions) in _QUERIES.items():
        for action in actions:
            body = urlencode({"Action": action, "Version": version}).encode()
            _call(front, service, body, "application/x-www-form-urlencoded; charset=utf-8")
    for service, (prefix, *actions) in _JSON.items():
        for action in actions:
            _call(front, service, b"{}", "application/x-amz-json-1.1", f"{prefix}.{action}")


def _call(front: Front, service: str, body: bytes, content_type: str, target: str = "") -> None:
    scope = f"AWS4-HMAC-SHA256 Credential=local/20260101/{REGION}/{service}/aws4_request, Signature=none"
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/", "QUERY_STRING": "", "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_HOST": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": content_type, "HTTP_AUTHORIZATION": scope,
        **({"HTTP_X_AMZ_TARGET": target} if target else {}),
    }  # fmt: skip
    front(environ, lambda status, _headers, _=None: log.debug("warm %s %s: %s", service, body, status))
