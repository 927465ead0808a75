"""DuckDB in processes that hold no secret, reach the store's port and nothing else, and can die.

What stands between a query and what it may not see, from the inside out:

1. it is SQL that was regenerated from a checked tree (not in here);
2. an instance of DuckDB that opens the URLs of this query's objects and no other file, and whose
   settings are locked, which is asserted by reading them back (`session`);
3. a process that Landlock leaves one TCP port and its own directory (`landlock`, `confinement`),
   which serves one binding in all its life (`pool`) and is killed when it overruns (`worker`).

What each alone does not stop: with (1) gone, the columns of a table that are hidden, as URLs give
whole files; strict jobs close that, too. With (2) gone, any host at the store's port, and what
the process may read of the system. UDP is not closed, as names are looked up by it.
"""
