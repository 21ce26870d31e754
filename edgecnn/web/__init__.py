"""The page of `edgecnn run --serve`: the camera seen from a browser, for a board without a screen."""
