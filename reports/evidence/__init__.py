"""A drill's folder as evidence: frozen before it starts, signed at its end, checked years later."""
