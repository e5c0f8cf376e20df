"""The thread that Django keeps for a request under ASGI, and the database connection of that thread.

Django runs what is not async of a request (sessions, the user) in a thread of its own, which waits for more until the
response has ended. A stream lasts ten minutes: hundreds of them would hold as many threads and connections.
"""

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections


async def let_go() -> None:
    """Close the request's database connections and end its thread; what needs one later gets a new one.

    Does nothing where the thread is not the request's own (WSGI, the clients of Django's tests).
    """
    context = SyncToAsync.thread_sensitive_context.get(None)
    threads = SyncToAsync.context_to_thread_executor
    if context is None or context not in threads:
        return
    await sync_to_async(connections.close_all)()
    thread = threads.pop(context, None)
    if thread is not None:
        thread.shutdown(wait=False)
