from django.urls import path

from dashboards import account, history, views

app_name = "dashboards"

# A key is text here: whatever is no key gets the same page as an order that is not there.
urlpatterns = [
    path("", views.orders, name="orders"),
    path("orders/rows/", views.order_rows, name="order-rows"),
    path("orders/new/", views.order_new_games, name="order-new-games"),
    path("orders/new/<slug:game>/", views.order_new, name="order-new"),
    path("orders/new/<slug:game>/quote/", views.quote, name="quote"),
    path("orders/<str:key>/", views.order, name="order"),
    path("orders/<str:key>/parts/", views.order_parts, name="order-parts"),
    path("orders/<str:key>/history/", history.timeline, name="order-history"),
    path("orders/<str:key>/history.csv", history.timeline_csv, name="order-history-csv"),
    path("orders/<str:key>/history.json", history.timeline_json, name="order-history-json"),
    path("orders/<str:key>/history/<str:version>/", history.state, name="order-state"),
    path("orders/<str:key>/account/", account.write, name="account"),
    path("orders/<str:key>/account/show/", account.show, name="account-show"),
    path("orders/<str:key>/account/erase/", account.erase, name="account-erase"),
    path("orders/<str:key>/<str:verb>/", views.order_act, name="order-act"),
]
