"""What sens-async costs, measured against what is possible: `python -m benchmarks`.

```
__main__                               which parts to run, and where to leave their results
bulk  reading  loops  limiter          the parts: each answers one question and knows what
single  memory  paced  start           answer is wanted
contest  lineup  rivals  library       clients that take turns at the same work
pacers                                 rate limiters, likewise
meter  service  stub  delay            a measurement, and the server that checks it
messages  scale  bench                 what is sent; how much of it; what every part is handed
goals  results  machine  pictures      what is wanted, kept and drawn
programs  loop_run  footprint          what is measured in a process of its own
```

Nothing here is trusted that the stub did not see: a measurement whose requests or recipients
differ from what the stub counted ends the run. Machines are noisy, so ratios are taken between
clients that took turns in one process within seconds, and medians of many such rounds are given.
"""
