"""Shapes of requests and answers; the OpenAPI document comes from them."""
