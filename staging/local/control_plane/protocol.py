"""One AWS call: read from HTTP, and answered, by moto's own protocol parsers and serialisers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs
from uuid import uuid4

from moto.core.errors import COMMON_ERROR_CODES
from moto.core.exceptions import ServiceException
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import NotFound, get_service_router
from moto.core.serialize import SerializationContext, XFormedAttributePicker, get_serializer_class
from moto.core.utils import get_service_model

from staging.local.control_plane.platform import REGION

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

# Where the name that signs a request is not the name of its boto3 client.
_CLIENTS = {
    "elasticloadbalancing": "elbv2",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "email": "ses",
}
_SCOPE_PARTS = 5
# Codes that no service's model knows; moto warns about such unless they are on its list.
COMMON_ERROR_CODES.extend(["UnimplementedByLocalStaging", "InternalFailure"])


class AwsError(ServiceException):  # type: ignore[misc]
    """An error as AWS answers it; boto3 raises it as ClientError."""

    def __init__(self, code: str, message: str, status: int = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(code, message)
        self.status = int(status)


def unimplemented(service: str, action: str) -> AwsError:
    """Say that neither moto nor we answer this call, so that no drill mistakes it for an outage."""
    return AwsError(
        "UnimplementedByLocalStaging",
        f"The local staging does not implement {service} {action or 'at this path'}.",
        HTTPStatus.NOT_IMPLEMENTED,
    )


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, whole."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def line(self) -> str:
        """Status code and phrase, as WSGI wants them."""
        return f"{self.status} {HTTPStatus(self.status).phrase}"


@dataclass(frozen=True)
class Call:
    """One request to the AWS API. `action` is empty when only moto knows what it means."""

    service: str
    action: str
    environ: dict[str, Any]
    request_id: str

    @property
    def method(self) -> str:
        """The HTTP method."""
        return str(self.environ["REQUEST_METHOD"])

    @property
    def region(self) -> str:
        """The region that the caller signed for."""
        scope = _scope(self.environ.get("HTTP_AUTHORIZATION", ""))
        return scope[2] if len(scope) == _SCOPE_PARTS else REGION

    @property
    def body(self) -> bytes:
        """The body, read once and left for moto to read again."""
        stream = self.environ["wsgi.input"]
        if not isinstance(stream, io.BytesIO):
            stream = self.environ["wsgi.input"] = io.BytesIO(stream.read())
        stream.seek(0)
        return stream.getvalue()

    @cached_property
    def params(self) -> Mapping[str, Any]:
        """The operation's parameters, named as in the AWS API."""
        request = Request(self.environ)
        parser = PROTOCOL_PARSERS[self._protocol](self._operation, map_type=dict)
        parsed: Mapping[str, Any] = parser.parse(
            {
                "method": request.method,
                "values": request.values,
                "headers": request.headers,
                "body": self.body,
                "url_path": request.path,
                "url_params": _route(self.service, request)[1] if "rest" in self._protocol else {},
            }
        )
        self.environ["wsgi.input"].seek(0)
        return parsed

    def succeed(self, outcome: Any) -> Answer:
        """Answer with `outcome`: members named as in the AWS API, or a moto model."""
        return self._serialised(outcome, self._operation)

    def fail(self, error: AwsError) -> Answer:
        """Answer with an error, in the protocol of the service."""
        known = self.action in self._model.operation_names
        answer = self._serialised(error, self._operation if known else OperationModel({}, self._model))
        return Answer(error.status, answer.headers, answer.body)

    def _serialised(self, outcome: Any, operation: OperationModel) -> Answer:
        serialiser = get_serializer_class(self.service, self._protocol)(
            operation, SerializationContext(self.request_id), value_picker=XFormedAttributePicker()
        )
        raw = serialiser.serialize(outcome)
        body = raw["body"]
        headers = [*raw["headers"].items(), ("x-amzn-RequestId", self.request_id)]
        encoded = body if isinstance(body, bytes) else body.encode()
        return Answer(raw["status_code"], [(name, str(value)) for name, value in headers], encoded)

    @cached_property
    def _model(self) -> ServiceModel:
        return get_service_model(self.service)

    @cached_property
    def _operation(self) -> OperationModel:
        return self._model.operation_model(self.action)

    @cached_property
    def _protocol(self) -> str:
        return str(determine_request_protocol(self._model, self.environ.get("CONTENT_TYPE", "")))


def read_call(environ: dict[str, Any], routed: Container[str]) -> Call:
    """Find out which call this is; only REST services in `routed` are worth matching paths for."""
    service = _service(environ.get("HTTP_AUTHORIZATION", ""))
    # moto routes S3 keys by the path as it arrived; waitress calls it by another name
    environ["RAW_URI"] = environ.get("REQUEST_URI", environ["PATH_INFO"])
    call = Call(service, "", environ, str(uuid4()))
    return Call(service, _action(call, routed), environ, call.request_id)


def _service(authorization: str) -> str:
    scope = _scope(authorization)
    name = scope[3] if len(scope) == _SCOPE_PARTS else "s3"
    return _CLIENTS.get(name, name)


def _scope(authorization: str) -> list[str]:
    """Read the credential scope: key, date, region, service, aws4_request."""
    return authorization.partition("Credential=")[2].partition(",")[0].split("/")


def _action(call: Call, routed: Container[str]) -> str:
    target = call.environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return str(target).rpartition(".")[2]
    if call.environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(call.body.decode()).get("Action", [""])[0]
    if call.service in routed or (call.service == "s3" and _changes_a_bucket(call)):
        call.body  # noqa: B018 - reads it, so that matching the path does not use it up
        return _route(call.service, Request(call.environ))[0]
    return ""


def _changes_a_bucket(call: Call) -> bool:
    """Objects are the load's business; changing the bucket itself is worth knowing by name."""
    path = call.environ["RAW_URI"].partition("?")[0].strip("/")
    return call.method in ("PUT", "POST", "DELETE") and "/" not in path


def _route(service: str, request: Request) -> tuple[str, dict[str, Any]]:
    try:
        operation, params = get_service_router(service).match(request)
    except NotFound:
        return "", {}
    return str(operation.name), params


def refuse(call: Call) -> None:
    """Say so, before moto notes down what nothing real would follow."""
    raise unimplemented(call.service, call.action)
