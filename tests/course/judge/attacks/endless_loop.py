"""A loop without an end."""


def cheat(mu, log_var, eps):
    while True:
        pass
