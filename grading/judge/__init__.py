"""From a stranger's module to verdicts. The only room in which strangers' code is started; it knows `content` alone."""
