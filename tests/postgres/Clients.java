import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;

/** pgjdbc asks `tenfold serve`. Arguments: address, number of customers. */
public class Clients {
    static final String ENDLESS = "SELECT sum(a.value + b.value) FROM generate_series(1, 100000) a "
        + "CROSS JOIN generate_series(1, 10000000000) b";

    static int count(ResultSet rows) throws SQLException {
        int count = 0;
        while (rows.next()) count++;
        return count;
    }

    static String column(ResultSet rows, String name) throws SQLException {
        StringBuilder values = new StringBuilder();
        while (rows.next()) values.append(rows.getString(name)).append(' ');
        return values.toString().trim();
    }

    static void same(Object found, Object expected) {
        if (!found.equals(expected)) throw new AssertionError(found + " instead of " + expected);
    }

    public static void main(String[] arguments) throws Exception {
        int everybody = Integer.parseInt(arguments[1]);
        try (Connection client = DriverManager.getConnection(arguments[0], "jane", "")) {
            metadata(client.getMetaData());
            queries(client, everybody);
        }
    }

    static void metadata(DatabaseMetaData meta) throws SQLException {
        same(column(meta.getPrimaryKeys(null, "insights", "customer_value"), "COLUMN_NAME"), "customer");
        String keys = column(meta.getImportedKeys(null, "insights", "customer_value"), "FKCOLUMN_NAME");
        same(keys, "first_purchase last_purchase");
        if (count(meta.getExportedKeys(null, "insights", "dim_date")) < 2) throw new AssertionError("exported keys");
        if (count(meta.getTables(null, "insights", "%", new String[] {"TABLE"})) < 6) throw new AssertionError("tables");
        if (count(meta.getColumns(null, "insights", "customer_value", "%")) < 10) throw new AssertionError("columns");
        same(column(meta.getIndexInfo(null, "insights", "customer_value", true, false), "INDEX_NAME"), "customer_value_pkey");
        if (count(meta.getTypeInfo()) < 10) throw new AssertionError("types");
        same(count(meta.getFunctions(null, null, "%")), 0);
        if (count(meta.getSchemas()) < 1) throw new AssertionError("schemas");
    }

    static void queries(Connection client, int everybody) throws SQLException {
        String sql = "SELECT customer, revenue_lifetime, first_purchase FROM customer_value "
            + "WHERE events >= ? AND (first_purchase < ? OR first_purchase IS NULL) AND (revenue_lifetime > ? OR revenue_lifetime IS NULL) ORDER BY 1";
        // From the fifth time on the driver asks for binary.
        for (int time = 0; time < 8; time++) {
            try (PreparedStatement query = client.prepareStatement(sql)) {
                query.setLong(1, Long.MIN_VALUE);
                query.setDate(2, Date.valueOf("2999-01-01"));
                query.setBigDecimal(3, new BigDecimal("-1000000.01"));
                same(count(query.executeQuery()), everybody);
            }
        }
        try (PreparedStatement query = client.prepareStatement("SELECT ?::timestamptz, ? || 'x', ?::numeric")) {
            query.setTimestamp(1, Timestamp.valueOf("2026-01-01 00:00:00"));
            query.setString(2, "a");
            query.setBigDecimal(3, new BigDecimal("1.50"));
            ResultSet row = query.executeQuery();
            row.next();
            same(row.getTimestamp(1), Timestamp.valueOf("2026-01-01 00:00:00"));
            same(row.getString(2), "ax");
            same(row.getBigDecimal(3).compareTo(new BigDecimal("1.5")), 0);
        }
        client.setAutoCommit(false);
        try (Statement query = client.createStatement()) {
            query.setFetchSize(7);
            same(count(query.executeQuery("SELECT customer FROM customer_value")), everybody);
        }
        client.commit();
        client.setAutoCommit(true);
        try (Statement query = client.createStatement()) {
            query.setQueryTimeout(1);
            query.executeQuery(ENDLESS);
            throw new AssertionError("a query without end has ended");
        } catch (SQLException error) {
            same(error.getSQLState(), "57014");
        }
        client.setReadOnly(true);
        try (Statement query = client.createStatement()) {
            query.execute("DELETE FROM customer_value");
            throw new AssertionError("a snapshot was changed");
        } catch (SQLException error) {
            same(error.getSQLState(), "25006");
        }
    }
}
