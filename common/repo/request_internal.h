/*
 * request_internal.h - the orders that a request's lists have (request.c), for who reads one (request_read.c).
 */
#ifndef COMMON_REPO_REQUEST_INTERNAL_H
#define COMMON_REPO_REQUEST_INTERNAL_H

/* Of struct request_snapshot, request_session and request_mac, as for qsort. */
int request_by_seq(const void *a, const void *b);
int request_by_session(const void *a, const void *b);
int request_by_rid(const void *a, const void *b);

#endif
