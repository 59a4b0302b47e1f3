"""One module a peer, or a question asked of several."""
