"""Errors as the openai package raises them."""

import httpx
import openai

_KINDS = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
}


def refused(status, message="no", code=None, headers=None):
    """Make the error of an answer with this status."""
    request = httpx.Request("POST", "http://127.0.0.1:1/v1/chat/completions")
    response = httpx.Response(status, headers=headers, request=request)
    kind = openai.InternalServerError if status >= 500 else openai.APIStatusError
    return _KINDS.get(status, kind)(message, response=response, body={"code": code})
