"""The chosen configuration behind HTTP. Needs the extra `serve`; imported when asked for."""
