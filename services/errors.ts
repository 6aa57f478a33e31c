import { createError as createFastifyError } from '@fastify/error'

/** Without a stack: they tell a caller what to do and no editor where to look, and the stack costs as much as a third of the answer. */
function createError<Values extends unknown[]>(code: string, message: string, statusCode: number) {
  return createFastifyError<Values>(code, message, statusCode, Error, false)
}

/**
 * The catalogue: every error that can leave the service, each with its code, its status, and a message that says what
 * to do next. docs/errors.md explains them one by one; a test keeps the two lists equal.
 *
 * An error class can be called with the arguments of its message: `new NotFoundError('design')`.
 */

export const InvalidRequestError = createError<[reason: string]>('INVALID_REQUEST', '%s', 400)

/** What Node's parser can not read: there is no request to answer, only a connection. */
export const MalformedRequestError = createError<[]>(
  'MALFORMED_REQUEST',
  'This is not a request of HTTP/1.1: check the request line, the headers and the length of the body',
  400,
)

export const MalformedBodyError = createError<[]>(
  'MALFORMED_BODY',
  'The body is not valid JSON in UTF-8: send one JSON document, and its length if you send Content-Length',
  400,
)

/** Of a field that only the service writes. */
export const ReadOnlyFieldError = createError<[field: string]>(
  'READ_ONLY_FIELD',
  'body: %s can not be changed and is not what the row has now: leave it out, or read the row again',
  400,
)

export const InvalidCursorError = createError<[]>(
  'INVALID_CURSOR',
  'The cursor is not one this list gave out: start again without ?cursor, with the same filters and sort on each page',
  400,
)

export const InvalidVersionError = createError<[]>(
  'INVALID_VERSION',
  'Roundhouse-Min-Version is not one this service gave out: send a Roundhouse-Version header back as it is, or none',
  400,
)

export const UnauthorizedError = createError<[]>(
  'UNAUTHORIZED',
  'A valid token is needed: send Authorization: Bearer <token>, with a token that is neither revoked nor expired',
  401,
)

export const ForbiddenError = createError<[]>(
  'FORBIDDEN',
  'This token may not do that: use an admin token, or a token of the user concerned',
  403,
)

/** Also the answer for rows of another user: whether they exist is not said. */
export const NotFoundError = createError<[kind: string]>(
  'NOT_FOUND',
  'There is no such %s: check the id, and that the token belongs to its owner',
  404,
)

/** Where the operator has switched them off. */
export const ChangesOffError = createError<[]>(
  'CHANGES_OFF',
  'This service does not write down what changes: read the lists, or have CHANGES=on set',
  404,
)

export const RouteNotFoundError = createError<[method: string, path: string]>(
  'ROUTE_NOT_FOUND',
  'There is no route %s %s: /docs shows those that there are, /openapi.json lists them',
  404,
)

export const MethodNotAllowedError = createError<[method: string, path: string, allowed: string]>(
  'METHOD_NOT_ALLOWED',
  'There is no %s %s: use one of %s',
  405,
)

export const RequestTimeoutError = createError<[]>(
  'REQUEST_TIMEOUT',
  'The request did not arrive in time: send it again on a new connection',
  408,
)

export const TemplateInUseError = createError<[mockupIds: string]>(
  'TEMPLATE_IN_USE',
  'Mockups use this template: delete them or give them another template first (%s)',
  409,
)

export const InUseError = createError<[kind: string, table: string, ids: string]>(
  'IN_USE',
  'This %s is in use: delete the %s that refer to it, or let them refer to another one, first (%s)',
  409,
)

export const EmailTakenError = createError<[]>(
  'EMAIL_TAKEN',
  'Another user has this email address: choose another one, or change that user',
  409,
)

export const ExternalIdTakenError = createError<[kind: string]>(
  'EXTERNAL_ID_TAKEN',
  'Another %s of yours has this external_id: read it under by-external-id, or choose another one',
  409,
)

export const ConflictError = createError<[]>(
  'CONFLICT',
  'The change collides with another row: read the current state, then decide',
  409,
)

export const StillRunningError = createError<[]>(
  'STILL_RUNNING',
  'The first request with this Idempotency-Key is still under way: wait a second, then send it again with the same key',
  409,
)

export const CursorExpiredError = createError<[]>(
  'CURSOR_EXPIRED',
  'What changed since then is not known any more: take a new cursor, by GET without since, read all lists again, and go on from it',
  410,
)

export const PreconditionFailedError = createError<[]>(
  'PRECONDITION_FAILED',
  'The row is not what If-Match or If-None-Match asks for: read it again, apply your change to it, send the new ETag',
  412,
)

export const BodyTooLargeError = createError<[]>(
  'BODY_TOO_LARGE',
  'The body is too large: send at most 128 KiB, or 1 MiB in bulk',
  413,
)

export const UnsupportedMediaTypeError = createError<[]>(
  'UNSUPPORTED_MEDIA_TYPE',
  'The body must be JSON in UTF-8: send Content-Type: application/json',
  415,
)

export const UnsupportedCodingError = createError<[]>(
  'UNSUPPORTED_CONTENT_CODING',
  'The body must not be compressed: send it as it is, without Content-Encoding',
  415,
)

export const InvalidReferenceError = createError<[field: string, ids: string]>(
  'INVALID_REFERENCE',
  '%s names what does not exist or is not yours (%s): use ids of your own rows',
  422,
)

export const IdempotencyKeyReusedError = createError<[]>(
  'IDEMPOTENCY_KEY_REUSED',
  'This Idempotency-Key came with another request before: make a new key for each thing to create, and repeat only what is the same',
  422,
)

/** Its body has `results` besides: what became of each operation. */
export const BulkRefusedError = createError<[count: number]>(
  'BULK_REFUSED',
  'Nothing is written, since %s of the operations can not be done: see results, mend those, then send all of them again',
  422,
)

/** Of an operation that could have been done. */
export const NotWrittenError = createError<[]>(
  'NOT_WRITTEN',
  'This operation is all right, and not written because others are refused: send it again with them',
  424,
)

export const TooManyRequestsError = createError<[]>(
  'TOO_MANY_REQUESTS',
  'Too many unknown tokens are being tried: wait as long as Retry-After says, then try again, or have a new token made',
  429,
)

/** Where the operator has set limits. */
export const RateLimitedError = createError<[what: string]>(
  'RATE_LIMITED',
  'Too many %s within a minute: wait as long as Retry-After says',
  429,
)

export const HeadersTooLargeError = createError<[]>(
  'HEADERS_TOO_LARGE',
  'The request line and the headers are too large: send at most 16 KiB of them',
  431,
)

export const TooManyReadsError = createError<[]>(
  'TOO_MANY_READS',
  'Too many lists and bulks of yours are under way: wait for their answers, or as long as Retry-After says, before you ask for more',
  429,
)

export const TooManyWatchersError = createError<[]>(
  'TOO_MANY_WATCHERS',
  'Twenty pages watch this replica already: close one, then try again',
  429,
)

export const TooManyStreamsError = createError<[]>(
  'TOO_MANY_STREAMS',
  'Too many streams of changes of yours are open on this replica: close one, or poll',
  429,
)

export const TooManyExportsError = createError<[]>(
  'TOO_MANY_EXPORTS',
  'As many exports as may run at a time are under way: let yours come to an end, or wait as long as Retry-After says',
  429,
)

/** Of the request alone, and so none of the faults that an operator looks for among answers from 500 on. */
export const UnsupportedTransferCodingError = createError<[]>(
  'UNSUPPORTED_TRANSFER_CODING',
  'The body must come as it is or in chunks: send Content-Length, or Transfer-Encoding: chunked and no other coding',
  501,
)

/** All that is said of a fault of ours; the log line with the same request id says the rest. */
export const InternalError = createError<[requestId: string]>(
  'INTERNAL_ERROR',
  'Something failed on our side: try again later, and if it stays report request %s',
  500,
)

export const ServiceUnavailableError = createError<[]>(
  'SERVICE_UNAVAILABLE',
  'The service can not answer right now: try again after the seconds in Retry-After',
  503,
)
