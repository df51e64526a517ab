"""How the score scripts name a model and the effort: "dn-resnet" or "dn-resnet+best"."""


def model_options(text):
    """The program's options for it."""
    name, _, effort = text.partition("+")
    if effort not in ("", "best"):
        raise SystemExit(f"{text}: +best is the only effort that has a name")
    return ["--model", name, *(["--best"] if effort else [])]
