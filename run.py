"""Start everything: migrate, then serve. `make run` does the same after installing."""

if __name__ == "__main__":  # the processes that read pictures load this file too, and need nothing of it
    from app.server import main

    main()
