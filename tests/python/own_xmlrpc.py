"""A user's own XML-RPC server, which knows nothing of Wirebench: python own_xmlrpc.py"""

from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

from listening import listening


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/shop/rpc",)


class Shop:
    orders = 0

    def add(self, a, b):
        """Adds two numbers."""
        return a + b

    def order(self, item):
        """Takes an order and counts it."""
        self.orders += 1
        return {"number": self.orders, "item": item}

    def fail(self):
        raise Fault(42, "no luck")


server = SimpleXMLRPCServer(("127.0.0.1", 0), requestHandler=Handler, allow_none=True, logRequests=False)
server.register_instance(Shop())
server.register_introspection_functions()
listening(server.server_address[1])
server.serve_forever()
